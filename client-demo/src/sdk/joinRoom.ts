/** The short way in, for one room. */
import { type ConnectOptions, connect } from "./connect";
import type { Room } from "./Room";
import type { Who } from "./roomEvents";

export interface JoinOptions extends ConnectOptions, Who {
  /** Aborted before the room is joined, it is not joined. */
  signal?: AbortSignal;
}

/**
 * Connects to the server at `url` and resolves once `room` is joined; rejects with a `RoomdropError` when the
 * server refuses. When it is left, the connection ends too.
 */
export async function joinRoom(url: string, room: string, options: JoinOptions = {}): Promise<Room> {
  options.signal?.throwIfAborted();
  const connection = connect(url, options);
  const { name, key, passphrase, secret } = options;
  const joining = connection.room(room, {
    ...(name ? { name } : {}),
    ...(key ? { key } : {}),
    ...(passphrase ? { passphrase } : {}),
    ...(secret === undefined ? {} : { secret }),
  });
  joining.on("state", (state) => {
    if (state === "left") connection.close();
  });
  try {
    return await joining.joined({ signal: options.signal });
  } catch (error) {
    connection.close();
    throw error;
  }
}
