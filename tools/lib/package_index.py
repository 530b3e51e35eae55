"""Files of the package index that pip is configured for, each checked against its SHA-256.

pip itself is not asked to download: it would first build a source archive's metadata, which takes a
minute and fails on a bare machine, and it refuses a wheel for another Python. Only its configuration
is read.
"""
import base64
import hashlib
import json
import os
import re
import ssl
import urllib.parse
import urllib.request

MAX_BYTES = 64 << 20
TIMEOUT_S = 60
ATTEMPTS = 3
JSON_TYPE = "application/vnd.pypi.simple.v1+json"


def pip_settings():
    """pip's effective settings (index-url, cert, proxy): environment before files."""
    from pip._internal.configuration import Configuration
    from pip._internal.models.index import PyPI

    config = Configuration(isolated=False)
    config.load()
    values = dict(config.items())
    # Newer pips keep one dictionary for each file.
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(value)
        else:
            flat[key] = value

    def get(name, default=None):
        for section in (":env:", "download", "global"):
            if flat.get(f"{section}.{name}"):
                return flat[f"{section}.{name}"]
        return default

    return get("index-url", PyPI.simple_url), get("cert"), get("proxy")


def make_opener(cert, proxy):
    cafile = cert or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    context = ssl.create_default_context()
    if cafile and os.path.exists(cafile):
        context.load_verify_locations(cafile)
    handlers = [urllib.request.HTTPSHandler(context=context)]
    if proxy:
        handlers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
    return urllib.request.build_opener(*handlers)


def get(opener, url, accept="*/*"):
    parts = urllib.parse.urlsplit(url)
    headers = {"Accept": accept, "User-Agent": "rapidbyte-setup"}
    if parts.username:
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        url = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    for attempt in range(ATTEMPTS):
        try:
            with opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S) as reply:
                body = reply.read(MAX_BYTES + 1)
                if len(body) > MAX_BYTES:
                    raise OSError(f"{url}: more than {MAX_BYTES} bytes")
                return reply.headers.get_content_type(), body, reply.geturl()
        except OSError:
            if attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError("not reached")


def file_url(opener, index, project, file):
    page = f"{index.rstrip('/')}/{project}/"
    kind, body, final = get(opener, page, f"{JSON_TYPE}, text/html;q=0.5")
    if kind.endswith("json"):
        urls = [f["url"] for f in json.loads(body)["files"] if f["filename"] == file]
    else:
        links = re.findall(r'href="([^"]+)"', body.decode("utf-8", "replace"))
        urls = [u for u in links if urllib.parse.urlsplit(u).path.rsplit("/", 1)[-1] == file]
    if not urls:
        raise OSError(f"the package index has no {file}: {page}")
    return urllib.parse.urljoin(final, urls[0].replace("&amp;", "&"))


def fetch(project, file, sha256):
    """The bytes of a project's file. OSError: not there, too large, or other bytes than expected."""
    index, cert, proxy = pip_settings()
    opener = make_opener(cert, proxy)
    _, body, _ = get(opener, file_url(opener, index, project, file))
    found = hashlib.sha256(body).hexdigest()
    if found != sha256:
        raise OSError(f"{file}: sha256 is {found}, expected {sha256}")
    return body
