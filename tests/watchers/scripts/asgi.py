"""What uvicorn serves: nothing."""


async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
