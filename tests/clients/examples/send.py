# python send.py http://127.0.0.1:3000 my-room holiday.mp4
import asyncio, os, sys
import socketio  # pip install "python-socketio[asyncio_client]"

url, room, path = sys.argv[1:]
CHUNK = 256 * 1024
sio, file, sending = socketio.AsyncClient(), open(path, "rb"), asyncio.Lock()
me = {"room": room, "name": "send.py"}  # with the key, once we have it: the same member after a reconnect
token = None  # whoever holds it is the sender, now and after a reconnect
lanes = {}  # each lane in use: the offset sent so far

async def ask(event, words):
    answer = await sio.call(event, words, "/rooms")
    return answer["data"] if answer["code"] == 200 else sys.exit(answer["msg"])

async def enter():  # at first, and after a reconnect
    global token
    if len(sio.namespaces) < 2:
        return  # the other one is still to connect
    me["key"] = (await ask("room:join", me))["key"]
    if not token:
        files = [{"name": os.path.basename(path), "size": os.path.getsize(path)}]
        token = (await ask("drop:offer", {"room": room, "files": files}))["transfers"][0]["token"]
    lanes.clear()
    await sio.emit("source:open", {"token": token}, "/transfers")

async def send(pull):
    lane, limit = pull["lane"], pull["limit"]
    async with sending:
        offset = lanes.setdefault(lane, pull["from"])
        while offset < limit and lane in lanes:
            data = os.pread(file.fileno(), min(CHUNK, limit - offset), offset)
            if not data:
                fault = {"transfer": pull["transfer"], "reason": "the file has changed"}
                return await sio.emit("source:fail", fault, "/transfers")
            head = {"transfer": pull["transfer"], "lane": lane, "offset": offset}
            await sio.emit("chunk", (head, data), "/transfers")
            lanes[lane] = offset = offset + len(data)

async def status(status):
    state = status["data"]["state"]
    if state in ("complete", "cancelled", "failed"):
        print(f"{path}: {state}")
        await sio.disconnect()

async def main():
    stop = lambda stop: lanes.pop(stop["lane"], None)
    for event, handler in {"connect": enter, "pull": send, "stop": stop, "transfer:status": status}.items():
        sio.on(event, handler, "/transfers")
    sio.on("connect", enter, "/rooms")
    await sio.connect(url, namespaces=["/rooms", "/transfers"])
    await sio.wait()
asyncio.run(main())
