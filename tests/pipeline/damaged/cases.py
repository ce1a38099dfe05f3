"""All of them."""

from tests.pipeline.damaged import archives, csv_files, csv_text, csv_values, json_files, picture_files, record_files, typed_files

_MODULES = (csv_text, csv_files, csv_values, typed_files, json_files, record_files, picture_files, archives)
CASES = [case for module in _MODULES for case in module.CASES]
