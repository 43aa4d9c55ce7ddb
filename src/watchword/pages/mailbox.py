"""The development mailbox at /dev/mail: what would have been sent, with its links in clear.

Mounted in development only, where mail is kept. Whoever reads it can take over any account.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from markupsafe import Markup, escape

from watchword.core import Core
from watchword.email import outbox
from watchword.email.outbox import KeptMail
from watchword.errors import Forbidden, NotFound
from watchword.pages import schemas
from watchword.pages.render import PageRoute, page
from watchword.seat import CoreDep

_NEWEST = 200
_OURS = frozenset({"localhost", "127.0.0.1", "::1", "testserver"})
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]+)?", re.IGNORECASE)


async def _asked_by_our_name(core: CoreDep, request: Request) -> None:
    """Raises Forbidden unless the request asks for a host that is us.

    DNS rebinding: a web page of evil.example, whose name has come to point at 127.0.0.1, may read
    what it fetches from here, but it can't help saying evil.example in its Host header.
    """
    ours = _OURS | {urlsplit(core.settings.base_url).hostname}
    hosts = request.headers.getlist("host")
    asked = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if asked is None or (asked["v6"] or asked["name"]).lower() not in ours:
        raise Forbidden(
            f"The mailbox is shown at {core.settings.base_url}/dev/mail only. To reach it under "
            "another name, set PUBLIC_URL."
        )


router = APIRouter(include_in_schema=False, dependencies=[Depends(_asked_by_our_name)])
_pages = APIRouter(route_class=PageRoute)


@router.get("/dev/mail.json", response_model=list[schemas.Mail])
async def mails(core: CoreDep, response: Response) -> list[KeptMail]:
    """The kept mails, newest first, for scripts."""
    response.headers["Cache-Control"] = "no-store"
    return await _kept(core)


@_pages.get("/dev/mail")
async def mailbox(core: CoreDep, request: Request) -> Response:
    """The kept mails, newest first."""
    base = core.settings.base_url
    shown = [(mail, linked(mail.text, base)) for mail in await _kept(core)]
    return page(core, request, "mailbox.html", {"mails": shown})


@_pages.get("/dev/mail/{mail_id}")
async def one_mail(core: CoreDep, request: Request, mail_id: str) -> Response:
    """One mail: its text, and its HTML in a frame."""
    mail = await _find(core, mail_id)
    text = linked(mail.text, core.settings.base_url)
    return page(core, request, "mail.html", {"mail": mail, "text": text}, frames=True)


@_pages.get("/dev/mail/{mail_id}/html")
async def mail_html(core: CoreDep, mail_id: str) -> Response:
    """One mail's HTML as a mail program would show it, for the frame."""
    mail = await _find(core, mail_id)
    headers = {
        # A template is the operator's and may hold anything: here it runs no script, sends no
        # form, is of no origin, and loads nothing that would tell who reads it.
        "Content-Security-Policy": (
            "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
        ),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
    }
    return Response(mail.html, headers=headers, media_type="text/html")


router.include_router(_pages)


async def _kept(core: Core) -> list[KeptMail]:
    async with core.database.read() as unit:
        return await outbox.kept(unit, core.mailer, limit=_NEWEST)


async def _find(core: Core, mail_id: str) -> KeptMail:
    for mail in await _kept(core):
        if str(mail.id) == mail_id:
            return mail
    raise NotFound("There is no such mail. It may have been deleted; the mailbox shows the rest.")


def linked(text: str, base_url: str) -> Markup:
    """Text as HTML, with addresses below ``base_url`` as links and everything else as it reads.

    A name in a mail is a stranger's to choose, so no other address becomes a link; nor does one
    that merely begins like ours, as in http://localhost:8000@evil.example.
    """
    path = r"[/?#](?:[^\s<>\"']*[^\s<>\"'.,;:!?)])?"
    address = re.compile(rf"{re.escape(base_url)}(?:{path}|(?=[\s<>\"']|$))")
    parts: list[Markup] = []
    end = 0
    for found in address.finditer(text):
        parts.append(escape(text[end : found.start()]))
        parts.append(Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(found[0]))
        end = found.end()
    parts.append(escape(text[end:]))
    return Markup("").join(parts)
