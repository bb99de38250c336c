"""The application: uvicorn fastapi_shop.app:app."""

from contextlib import asynccontextmanager

from fastapi import FastAPI
from shop_data.settings import chosen_mistake

from fastapi_shop import db, flash_sale, partner, routes


@asynccontextmanager
async def lifespan(_):
    yield
    await partner.client.aclose()
    await db.engine.dispose()


app = FastAPI(title="Shop", lifespan=lifespan)
# The first route of a path answers, so the routes of a mistake come before the others.
if mistake := chosen_mistake("fastapi_shop"):
    app.include_router(mistake.router)
app.include_router(routes.router)
app.include_router(flash_sale.router)
