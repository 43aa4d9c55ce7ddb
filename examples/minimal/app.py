"""A FastAPI app with accounts: three lines of it are Watchword's."""

from fastapi import Depends, FastAPI

from watchword import CurrentUser, Watchword, require_admin

app = FastAPI(title="Tea house")
auth = Watchword()
auth.mount(app)


@app.get("/tea")
async def tea(user: CurrentUser) -> dict[str, str]:
    """For whoever is signed in."""
    return {"tea": f"A cup for {user.username}"}


@app.get("/kitchen", dependencies=[Depends(require_admin)])
async def kitchen() -> dict[str, str]:
    """For administrators."""
    return {"kitchen": "Mind the kettle"}
