#!/bin/bash
# Proves the light client on another Python than 3.11, against this checkout's server: scripts/test_client.sh PYTHON MODEL_BASE_PATH
#
#   a venv of PYTHON, pip install '.[client]'; `tapeline serve` of .venv on free ports
#   the client's `tapeline predict` and `tapeline loadtest` are answered; its `tapeline run` says in one line which extra it needs
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 model=$2 folder=$(mktemp -d)
address="" server=""
trap 'if [[ -n $server ]]; then kill "$server" 2>/dev/null && wait "$server" || true; fi; rm -rf "$folder"' EXIT

"$python" -m venv "$folder/venv"
client=$folder/venv/bin
mkdir "$folder/source" # building writes beside setup.py
cp -r setup.py tapeline.py pyproject.toml pipeline components trainer serving "$folder/source"
"$client/python" -m pip install --quiet --disable-pip-version-check "$folder/source[client]"

.venv/bin/tapeline serve --model_base_path "$model" --port auto --rest_api_port auto >"$folder/serve.log" 2>&1 &
server=$!
until address=$(sed -nE 's/.*serves: gRPC ([^,]+),.*/\1/p' "$folder/serve.log") && [[ -n $address ]]; do
    kill -0 "$server" || { cat "$folder/serve.log" && exit 1; }
    sleep 0.2
done

name=$(basename "$model")
"$client/python" -c 'import sys; from serving.loadtest.run import grey_png; open(sys.argv[1], "wb").write(grey_png(28))' "$folder/grey.png"
cd "$folder" # away from the checkout, so that what is installed is what runs
"$client/tapeline" predict grey.png --model_name "$name" --server "$address" --json >predicted.json
grep -q '"class": ' predicted.json
"$client/tapeline" loadtest --model_name "$name" --server "$address" --rate 20 --duration 1 --warmup 0 >/dev/null
status=0
"$client/tapeline" run mine.yaml >/dev/null 2>refusal.txt || status=$?
[[ $status == 2 ]]
[[ $(wc -l <refusal.txt) == 1 ]]
grep -qF 'needs tapeline[pipeline]' refusal.txt
echo "test-client: passed on $("$client/python" --version)"
