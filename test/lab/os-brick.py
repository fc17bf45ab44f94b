"""Attaches volumes to this machine as programs of the family do: by the library of cinder and by os-brick.

Arguments: address of the API, project, volume, IP address of this machine. Attaches the volume by the actions that name it, writes
and reads, and then by an attachment, read-only. Prints JSON of a list, an object for each way: the hash of the first 4 MiB, the mode
of the connection, and the status of the volume while it was attached and afterwards.
"""

import hashlib
import json
import mmap
import os
import sys

import os_brick
from cinderclient import client
from cinderclient.contrib import noauth
from keystoneauth1 import session
from os_brick.initiator import connector
from os_brick.privileged import default as privileges
from oslo_concurrency import lockutils
from oslo_config import cfg

SIZE = 4 * 1024 * 1024


def write(path):
    """Writes past the cache of this machine, in blocks of a page that is aligned."""
    page = mmap.mmap(-1, SIZE)
    page.write(os.urandom(SIZE))
    device = os.open(path, os.O_WRONLY | os.O_DIRECT)
    os.pwrite(device, page, 0)
    os.fsync(device)
    os.close(device)


def digest(path):
    page = mmap.mmap(-1, SIZE)
    device = os.open(path, os.O_RDONLY | os.O_DIRECT)
    os.preadv(device, [page], 0)
    os.close(device)
    return hashlib.sha256(page).hexdigest()


def connected(kind, data, use):
    initiator = connector.InitiatorConnector.factory(kind.upper(), "", use_multipath=False, device_scan_attempts=5)
    device = initiator.connect_volume(data)
    try:
        return use(device["path"])
    finally:
        initiator.disconnect_volume(data, device)


def by_actions(cinder, volume, host):
    cinder.volumes.reserve(volume)
    info = cinder.volumes.initialize_connection(volume, host)

    def use(path):
        cinder.volumes.attach(volume, None, path, mode="rw", host_name=host["host"])
        write(path)
        result = {"digest": digest(path), "mode": info["data"]["access_mode"], "status": status(cinder, volume)}
        cinder.volumes.begin_detaching(volume)
        return result

    result = connected(info["driver_volume_type"], info["data"], use)
    cinder.volumes.terminate_connection(volume, host)
    cinder.volumes.detach(volume)
    return result


def by_attachment(cinder, volume, host):
    attachment = cinder.attachments.create(volume, host, None, "ro")
    info = attachment["connection_info"]

    def use(path):
        cinder.attachments.complete(attachment["id"])
        return {"digest": digest(path), "mode": info["access_mode"], "status": status(cinder, volume)}

    result = connected(info["driver_volume_type"], info, use)
    cinder.attachments.delete(attachment["id"])
    return result


def status(cinder, volume):
    return cinder.volumes.get(volume).status


url, project, volume, ip = sys.argv[1:]
lockutils.set_defaults("/run/os-brick")
os_brick.setup(cfg.CONF)
# This process is root: it needs no other one with more rights.
privileges.set_client_mode(False)
auth = noauth.CinderNoAuthPlugin("admin", project, endpoint=f"{url}/v3")
cinder = client.Client("3.70", session=session.Session(auth))
host = connector.get_connector_properties("", ip, multipath=False, enforce_multipath=False)
results = []
for attach in [by_actions, by_attachment]:
    result = attach(cinder, volume, host)
    results.append({**result, "afterwards": status(cinder, volume)})
print(json.dumps(results))
