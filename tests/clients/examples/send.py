# python send.py http://127.0.0.1:3000 my-room holiday.mp4
import asyncio, os, sys
import socketio  # pip install "python-socketio[asyncio_client]"

url, room, path = sys.argv[1:]
CHUNK = 256 * 1024
sio = socketio.AsyncClient()
file = open(path, "rb")
key = token = None
lanes = {}  # each lane in use: the offset sent so far
sending = asyncio.Lock()

@sio.on("connect", namespace="/rooms")
async def join():
    global key, token
    answer = await sio.call("room:join", {"room": room, "name": "send.py", "key": key}, namespace="/rooms")
    key = answer["data"].get("key") or sys.exit(answer["msg"])  # the same member after a reconnect
    if token is None:
        offer = {"room": room, "files": [{"name": os.path.basename(path), "size": os.path.getsize(path)}]}
        answer = await sio.call("drop:offer", offer, namespace="/rooms")
        token = answer["data"]["transfers"][0]["token"]  # whoever holds it is the sender
        await open_source()

@sio.on("connect", namespace="/transfers")
async def open_source():
    lanes.clear()
    if token and "/transfers" in sio.namespaces:
        await sio.emit("source:open", {"token": token}, namespace="/transfers")

@sio.on("pull", namespace="/transfers")
async def send(pull):
    transfer, lane, limit = pull["transfer"], pull["lane"], pull["limit"]
    async with sending:
        offset = lanes.setdefault(lane, pull["from"])
        while offset < limit and lane in lanes:
            file.seek(offset)
            data = file.read(min(CHUNK, limit - offset))
            lanes[lane] = offset + len(data)
            head = {"transfer": transfer, "lane": lane, "offset": offset}
            await sio.emit("chunk", (head, data), namespace="/transfers")
            offset += len(data)

@sio.on("stop", namespace="/transfers")
def stop(lane):
    lanes.pop(lane["lane"], None)

@sio.on("transfer:status", namespace="/transfers")
async def status(answer):
    if answer["code"] in (200, -1):
        print(f"sent {path}" if answer["code"] == 200 else answer["msg"])
        await sio.disconnect()

async def main():
    await sio.connect(url, namespaces=["/rooms", "/transfers"])
    await sio.wait()

asyncio.run(main())
