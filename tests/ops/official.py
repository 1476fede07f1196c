"""Validate the AsyncAPI document by the official schema: `python -m tests.ops.official FOLDER_OF_SCHEMAS`.

The schema comes from AsyncAPI's package @asyncapi/specs, which `make deploy-check` fetches first.
"""

import copy
import json
import sys
from pathlib import Path

from jsonschema import Draft7Validator

DOCUMENT = Path(__file__).parents[2] / "deploy" / "asyncapi" / "asyncapi.json"


def main(schemas: Path) -> int:
    """Return 0 if the document is valid by the schema of its version and a broken one is not."""
    document = json.loads(DOCUMENT.read_text())
    schema = json.loads((schemas / f"{document['asyncapi']}-without-$id.json").read_text())
    official = Draft7Validator(schema)
    errors = [
        f"{'/'.join(map(str, error.path))}: {error.message[:300]}" for error in official.iter_errors(document)
    ]
    broken = copy.deepcopy(document)
    next(iter(broken["operations"].values()))["action"] = "listen"
    if official.is_valid(broken):
        errors.append("the schema accepts an unknown operation, so it checks nothing")
    print("\n".join(errors) or f"{DOCUMENT.name} is valid AsyncAPI {document['asyncapi']}")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
