"""The AsyncAPI document against the official schema: `python -m tests.ops.official FOLDER_OF_SCHEMAS`.

The schema is AsyncAPI's own, as its package @asyncapi/specs has it; `make deploy-check` fetches that first.
"""

import copy
import json
import sys
from pathlib import Path

from jsonschema import Draft7Validator

DOCUMENT = Path(__file__).parents[2] / "deploy" / "asyncapi" / "asyncapi.json"


def main(schemas: Path) -> int:
    """0 when the document is right by the schema of its version, and a spoilt one is not."""
    document = json.loads(DOCUMENT.read_text())
    schema = json.loads((schemas / f"{document['asyncapi']}-without-$id.json").read_text())
    official = Draft7Validator(schema)
    errors = [
        f"{'/'.join(map(str, error.path))}: {error.message[:300]}" for error in official.iter_errors(document)
    ]
    spoilt = copy.deepcopy(document)
    next(iter(spoilt["operations"].values()))["action"] = "listen"
    if official.is_valid(spoilt):
        errors.append("the schema takes an operation that there is not: it checks nothing")
    print("\n".join(errors) or f"{DOCUMENT.name} is right by AsyncAPI {document['asyncapi']}")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
