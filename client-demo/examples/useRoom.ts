/** A room for React components: they are rendered again whenever something in it changes. */
import { useEffect, useReducer, useState } from "react";
import { connect, type Room } from "roomdrop-client";

const EVENTS = ["state", "joined", "left", "message", "offered", "status"] as const;

export function useRoom(server: string, id: string, name: string): Room | undefined {
  const [room, setRoom] = useState<Room>();
  const [, show] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const connection = connect(server);
    const entered = connection.room(id, { name });
    const off = EVENTS.map((event) => entered.on(event, () => show()));
    setRoom(entered);
    return () => {
      for (const end of off) end();
      connection.close();
    };
  }, [server, id, name]);
  return room;
}
