"""Runs the command lines cinder and openstack of this machine, as their programs do, without a new process for each.

Reads one JSON document per line, {"program": "cinder", "arguments": [...]}, and answers each with one line,
{"code": 0, "output": "...", "errors": "..."}. The program "library" calls what no command line does: its arguments are
url, project, name of a method of volumes and JSON of its arguments; the output is JSON of what it returns.
"""

import contextlib
import io
import json
import logging
import sys
import warnings

from cinderclient import client as library
from cinderclient import shell as cinder
from cinderclient.contrib import noauth
from keystoneauth1 import session
from openstackclient import shell as openstack
from openstackclient.common.clientmanager import ClientManager
from openstackclient.volume import client as volume
from osc_lib.clientmanager import ClientCache


def run(program, arguments):
    output, errors = io.StringIO(), io.StringIO()
    # Each command adds handlers, which write to the streams of that command.
    for handler in logging.root.handlers[:]:
        logging.root.removeHandler(handler)
    # A process keeps its clients, and who signed in with them.
    for kept in [value for kind in ClientManager.__mro__ for value in vars(kind).values()]:
        if isinstance(kept, ClientCache):
            kept._handle = None
    # Making a client removes versions that are not installed, and fails where they are gone.
    for version in ("1", "2"):
        volume.API_VERSIONS.setdefault(version, "")
    sys.argv = [program, *arguments]
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            code = programs[program](arguments)
        except SystemExit as end:
            code = end.code
        except Exception as failure:
            print(repr(failure), file=sys.stderr)
            code = 1
    return {"code": code or 0, "output": output.getvalue(), "errors": errors.getvalue()}


def call(arguments):
    url, project, method, *given = arguments
    auth = noauth.CinderNoAuthPlugin("admin", project, endpoint=f"{url}/v3")
    volumes = library.Client("3.70", session=session.Session(auth)).volumes
    result = getattr(volumes, method)(*map(json.loads, given))
    # Some methods return the response and the document.
    print(json.dumps(result if isinstance(result, dict) else {}))


programs = {"cinder": lambda _: cinder.main(), "openstack": openstack.main, "library": call}

warnings.filterwarnings("ignore")
logging.disable(logging.INFO)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(run(request["program"], request["arguments"])), flush=True)
