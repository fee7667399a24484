# python receive.py http://127.0.0.1:3000 my-room downloads [--stay]
import asyncio, os, sys
import socketio  # pip install "python-socketio[asyncio_client]"

url, room, folder, *stay = sys.argv[1:]
WINDOW = 4 * 1024 * 1024  # how far the server may send ahead of what we have written
sio, sinks = socketio.AsyncClient(), {}
me = {"room": room, "name": "receive.py"}  # with the key, once we have it: the same member after a reconnect

async def enter():  # at first, and after a reconnect
    if len(sio.namespaces) < 2:
        return  # the other one is still to connect
    answer = await sio.call("room:join", me, "/rooms")
    me["key"] = answer["data"].get("key") or sys.exit(answer["msg"])
    for sink in list(sinks.values()):
        await start(sink)
    for drop in answer["data"]["drops"]:
        await accept(drop)

async def accept(drop):
    answer = await sio.call("transfer:accept", {"drop": drop["drop"]}, "/rooms")
    for offer in answer["data"].get("transfers", []):
        if offer["transfer"] not in sinks:
            file = open(os.path.join(folder, os.path.basename(offer["name"])), "xb", buffering=0)
            sinks[offer["transfer"]] = sink = {**offer, "file": file, "lane": 0, "offset": 0}
            await start(sink)

async def start(sink):  # from the offset that we hold, on a new lane
    sink["lane"] += 1
    await pull(sink, "sink:open", token=sink["token"])

async def pull(sink, event, **which):
    window = {"lane": sink["lane"], "from": sink["offset"], "limit": sink["offset"] + WINDOW}
    await sio.emit(event, {**which, **window}, "/transfers")
    if sink["offset"] == sink["size"]:
        await sio.call("sink:done", {"transfer": sink["transfer"]}, "/transfers")
        print(f"received {sink['name']}")
        None if stay else await sio.disconnect()

async def chunk(head, data):
    sink = sinks[head["transfer"]]
    if head["lane"] == sink["lane"] and head["offset"] == sink["offset"]:  # not of an older lane
        sink["offset"] += sink["file"].write(data)
        await pull(sink, "pull", transfer=sink["transfer"])

async def end(end):  # until then, a live stream has no size
    sink = sinks[end["transfer"]]
    if sink["size"] is None:
        sink["size"] = end["size"]
        await pull(sink, "pull", transfer=sink["transfer"])

async def main():
    for event, handler in {"connect": enter, "chunk": chunk, "transfer:end": end}.items():
        sio.on(event, handler, "/transfers")
    sio.on("connect", enter, "/rooms")
    sio.on("drop:offered", accept, "/rooms")
    await sio.connect(url, namespaces=["/rooms", "/transfers"])
    await sio.wait()
asyncio.run(main())
