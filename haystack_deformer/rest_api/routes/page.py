"""The page at /: ask a question, see the answers in their passages. One file, nothing from elsewhere."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import HTMLResponse

router = APIRouter()

_FILE = Path(__file__).parent.parent / "page.html"


@router.get("/", include_in_schema=False)
async def page() -> HTMLResponse:
    """The page."""
    text, policy = _page()
    return HTMLResponse(text, headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})


@cache
def _page() -> tuple[str, str]:
    """The page, and a policy by which a browser runs this script, this style, and nothing that a document brings."""
    text = _FILE.read_text(encoding="utf-8")
    hashes = {}
    for tag in ("script", "style"):
        content = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)[0]
        digest = base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
        hashes[tag] = f"'sha256-{digest}'"
    policy = (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return text, policy
