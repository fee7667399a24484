"""Polls, says its sid, and once it has begun anew says its new one. The server's address is in ROOMDROP_URL."""

import asyncio
import os

import socketio


async def main():
    sio = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.5)
    connected = asyncio.Queue()
    sio.on("connect", lambda: connected.put_nowait(sio.sid), "/rooms")
    await sio.connect(os.environ["ROOMDROP_URL"], transports=["polling"], namespaces=["/rooms"])
    for _ in range(2):
        print(await asyncio.wait_for(connected.get(), 30), flush=True)
    os._exit(0)  # It would wait for its poll to end.


asyncio.run(main())
