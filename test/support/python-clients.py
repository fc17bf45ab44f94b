"""Runs the command lines cinder and openstack of this machine, as their programs do, without a new process for each.

Reads one JSON document per line, {"program": "cinder", "arguments": [...]}, and answers each with one line,
{"code": 0, "output": "...", "errors": "..."}.
"""

import contextlib
import io
import json
import logging
import sys
import warnings

from cinderclient import shell as cinder
from openstackclient import shell as openstack


def run(program, arguments):
    output, errors = io.StringIO(), io.StringIO()
    # Each command adds handlers, which write to the streams of that command.
    for handler in logging.root.handlers[:]:
        logging.root.removeHandler(handler)
    sys.argv = [program, *arguments]
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            code = cinder.main() if program == "cinder" else openstack.main(arguments)
        except SystemExit as end:
            code = end.code
        except Exception as failure:
            print(repr(failure), file=sys.stderr)
            code = 1
    return {"code": code or 0, "output": output.getvalue(), "errors": errors.getvalue()}


warnings.filterwarnings("ignore")
logging.disable(logging.INFO)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(run(request["program"], request["arguments"])), flush=True)
