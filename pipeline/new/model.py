"""A model of your own, for `trainer.model: my_code.py:build`.

This one looks up what is a place in a table, flattens the rest, and puts a hidden layer on all of it.
Change it to what you want; `pytest test_my_code.py` says whether it still is a model.
"""

import keras
from keras import layers

UNITS = 64


def build(inputs, outputs, dropout=0.2, sizes=None, **settings):
    """The model, which is compiled, trained, measured and saved for you.

    Args:
      inputs: `shape` and `dtype` of a row of each input, by name: `pixels` (height, width, channels) of a picture, `numbers` (n,),
        `categories` (n,) and others. `tapeline config show` does not list them; print them here to see yours.
      outputs: how many logits it gives: the number of classes or labels, or 1 of a regression.
      dropout: `trainer.dropout`.
      sizes: of the inputs that are places in a table, such as `categories` and a text's `tokens`, how many places the table has.
      settings: `activation` (what makes probabilities of your logits: do not do it here) and `augment`.

    Returns:
      A model from the inputs by name to logits (batch, outputs), without softmax or sigmoid.
    """
    tensors, parts = {}, []
    for name, feature in inputs.items():
        is_table = name in (sizes or {})
        # A batch of texts ends where its longest one does, so a row of places may be of any length.
        tensors[name] = keras.Input((None,) if is_table else feature.shape, dtype=feature.dtype.name, name=name)
        if is_table:
            places = layers.Embedding(sizes[name], 16, name=f"{name}_table")(tensors[name])
            parts.append(layers.GlobalAveragePooling1D()(places))
        elif not name.startswith("ngram_weights"):
            parts.append(layers.Flatten()(tensors[name]))
    x = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    x = layers.Dense(UNITS, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(tensors, layers.Dense(outputs, name="logits")(x))
