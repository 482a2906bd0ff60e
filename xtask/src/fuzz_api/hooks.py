"""Tells Schemathesis what the OpenAPI document does not say: how to log in, and with which role."""

import json
import os
import urllib.request

import schemathesis

URL = os.environ["EPRO_FUZZ_URL"]
LOGINS = json.loads(os.environ["EPRO_FUZZ_LOGINS"])
NURSES_ONLY = ("/v1/sites/", "/v1/studies/", "/v1/projects/", "/reviews", "/audit")


def role(case):
    return "nurse" if any(part in case.operation.path for part in NURSES_ONLY) else "patient"


def session_key(case, context):
    """One session for each role. Each logout gets a new one, because an ended session cannot be used again."""
    return os.urandom(8).hex() if case.operation.path == "/v1/sessions/current" else role(case)


@schemathesis.auth(cache_by_key=session_key)
class Session:
    def get(self, case, context):
        login, pin = LOGINS[role(case)]
        body = json.dumps({"login": login, "pin": pin}).encode()
        request = urllib.request.Request(f"{URL}/v1/sessions", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["access_token"]

    def set(self, case, token, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {token}"
