"""The main job with python-socketio on either side, by each of its transports: what the matrix of the official
clients promises, held to the same rules. The server's address is in ROOMDROP_URL,
or those of its nodes, of which each person takes the next."""

import asyncio
import hashlib
import itertools
import os
import unittest
import uuid

import socketio

URLS = itertools.cycle(os.environ["ROOMDROP_URL"].split(","))
CHUNK = 256 * 1024
WINDOW = 2 * 1024 * 1024
PATIENCE = 30
NAMESPACES = ["/rooms", "/transfers"]


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


async def within(what, awaitable):
    try:
        return await asyncio.wait_for(awaitable, PATIENCE)
    except asyncio.TimeoutError:
        raise AssertionError(f"waited {PATIENCE} s for {what}") from None


class Person:
    """A member of a room with a link of its own, and every status it has heard."""

    def __init__(self, room):
        self.room = room
        self.sio = socketio.AsyncClient(reconnection=False)
        self.statuses = []
        self.offers = asyncio.Queue()
        self.changed = asyncio.Condition()
        self.sio.on("transfer:status", self.heard, "/rooms")
        self.sio.on("drop:offered", self.offers.put, "/rooms")

    async def enter(self, transports, name):
        await within("the connection", self.sio.connect(next(URLS), transports=transports, namespaces=NAMESPACES, wait_timeout=PATIENCE))
        self.joined = await self.ask("/rooms", "room:join", {"room": self.room, "name": name})

    async def ask(self, namespace, event, *words, code=200):
        answer = await self.sio.call(event, words, namespace, timeout=PATIENCE)
        assert answer["code"] == code, f"{event}: {answer}"
        return answer["data"]

    async def heard(self, status):
        async with self.changed:
            self.statuses.append(status)
            self.changed.notify_all()

    async def state(self, transfer, state):
        def there():
            return any(s["data"]["transfer"] == transfer and s["data"]["state"] == state for s in self.statuses)

        async with self.changed:
            await within(f"{transfer} to be {state}; heard {self.statuses[-3:]}", self.changed.wait_for(there))


class Source:
    """Sends what is pulled, from where it is pulled."""

    def __init__(self, person, data):
        self.person, self.data, self.ends, self.lanes = person, data, [], {}
        self.sending = asyncio.Lock()
        person.sio.on("pull", self.pulled, "/transfers")

    async def pulled(self, pull):
        lane, limit = pull["lane"], pull["limit"]
        async with self.sending:
            offset = self.lanes.setdefault(lane, pull["from"])
            while offset < limit:
                piece = self.data[offset : min(limit, offset + CHUNK)]
                head = {"transfer": pull["transfer"], "lane": lane, "offset": offset}
                taken = await self.person.ask("/transfers", "chunk", head, piece, code=100)
                self.lanes[lane] = offset = offset + len(piece)
                assert taken["received"] == offset, f"{taken} after {offset}"
                self.ends.append(offset)


class Sink:
    """Takes what continues what it holds, and pulls a window ahead."""

    def __init__(self, person, accepted):
        self.person, self.accepted, self.held = person, accepted, bytearray()
        self.size, self.whole = accepted["size"], asyncio.Event()
        person.sio.on("chunk", self.took, "/transfers")

    def ahead(self):
        return {"lane": 1, "from": len(self.held), "limit": len(self.held) + WINDOW}

    async def open(self):
        return await self.person.ask("/transfers", "sink:open", {"token": self.accepted["token"], **self.ahead()})

    async def took(self, head, data):
        assert head["lane"] == 1 and head["offset"] == len(self.held), f"{head} after {len(self.held)}"
        self.held += data
        await self.person.sio.emit("pull", {"transfer": head["transfer"], **self.ahead()}, "/transfers")
        if len(self.held) == self.size:
            self.whole.set()


class PythonSocketio(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # it reports every callback that takes 100 ms
        self.people = []

    async def asyncTearDown(self):
        for person in self.people:
            await person.sio.disconnect()

    async def person(self, room, transports, name):
        person = Person(room)
        self.people.append(person)
        await person.enter(transports, name)
        return person

    async def brings_a_file(self, transports, size):
        data = os.urandom(size)
        room = f"python-{uuid.uuid4()}"
        receiver = await self.person(room, transports, "receiver")
        sender = await self.person(room, transports, "sender")
        taken = await sender.ask("/rooms", "drop:offer", {"room": room, "files": [{"name": "Grüße.bin", "size": size}]})
        outgoing = taken["transfers"][0]
        transfer = outgoing["transfer"]
        source = Source(sender, data)
        opened = await sender.ask("/transfers", "source:open", {"token": outgoing["token"]})
        self.assertEqual(opened["size"], size)

        offer = await within("the offer", receiver.offers.get())
        self.assertEqual((offer["fromName"], offer["transfers"][0]["name"]), ("sender", "Grüße.bin"))
        sink = Sink(receiver, await receiver.ask("/rooms", "transfer:accept", {"transfer": transfer}))
        await sink.open()
        await within(f"the whole of {transfer}", sink.whole.wait())
        self.assertEqual(sha256(sink.held), sha256(data))
        for person in (sender, receiver):
            await person.ask("/rooms", "room:message", {"room": room, "text": "nearly"})
            states = [status["data"]["state"] for status in person.statuses]
            self.assertNotIn("complete", states, "complete before sink:done")

        done = await receiver.ask("/transfers", "sink:done", {"transfer": transfer, "digest": sha256(sink.held)})
        self.assertEqual(done, {})
        for person in (sender, receiver):
            await person.state(transfer, "complete")
        self.assertEqual(source.ends[-1], size)

    async def test_a_file_arrives_whole_by_websocket(self):
        await self.brings_a_file(["websocket"], 12 * 1024 * 1024 + 5)

    async def test_a_file_arrives_whole_by_polling(self):
        await self.brings_a_file(["polling"], 5 * 1024 * 1024 + 5)

    async def test_a_file_arrives_whole_by_polling_and_upgrade(self):
        await self.brings_a_file(["polling", "websocket"], 12 * 1024 * 1024 + 5)

    async def test_what_is_wrong_is_answered_by_its_name(self):
        person = await self.person(f"python-{uuid.uuid4()}", ["websocket"], "somebody")
        for namespace, event, words, error in [
            ("/rooms", "room:join", {"room": "a b"}, "bad_request"),
            ("/rooms", "room:message", {"room": "elsewhere", "text": "a"}, "room_not_found"),
            ("/rooms", "transfer:accept", {"transfer": "unknown"}, "transfer_not_found"),
            ("/transfers", "sink:open", {"token": "0" * 32}, "transfer_not_found"),
            ("/transfers", "pull", {"transfer": "a", "lane": -1, "from": 0, "limit": 1}, "bad_request"),
        ]:
            data = await person.ask(namespace, event, words, code=-1)
            self.assertEqual(data["error"], error, event)

    async def test_the_client_with_threads_joins_and_talks(self):
        room = f"python-{uuid.uuid4()}"
        person = await self.person(room, ["websocket"], "with asyncio")
        heard = asyncio.Queue()
        person.sio.on("room:message", heard.put, "/rooms")
        with socketio.SimpleClient() as client:
            await asyncio.to_thread(client.connect, next(URLS), namespace="/rooms", transports=["websocket"])
            joined = await asyncio.to_thread(client.call, "room:join", {"room": room, "name": "with threads"})
            self.assertEqual(joined["code"], 200)
            said = await asyncio.to_thread(client.call, "room:message", {"room": room, "text": "hello"})
            message = await within("the message", heard.get())
            self.assertEqual((message["id"], message["fromName"]), (said["data"]["id"], "with threads"))


if __name__ == "__main__":
    unittest.main()
