/** Numbers as people read them. Pure. */

const UNITS = ["bytes", "kB", "MB", "GB", "TB"] as const;

/** `1.5 MB`; powers of ten, as file managers and disks count. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${count === 1 ? "byte" : UNITS[unit]}`;
}

export function size(count: number | null): string {
  return count === null ? "size not known" : bytes(count);
}

/** `12.3 MB/s`. */
export function speed(bytesPerSecond: number): string {
  return `${bytes(bytesPerSecond)}/s`;
}

/** `3 min 20 s left`. */
export function timeLeft(seconds: number | null): string {
  if (seconds === null) return "";
  if (seconds < 60) return `${seconds} s left`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s left`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min left`;
}

/** Whole percent, never 100 before all is there. */
export function percent(done: number, all: number | null): number {
  if (all === null) return 0;
  if (all === 0) return 100;
  return done >= all ? 100 : Math.min(99, Math.floor((done / all) * 100));
}

/** `14:05`; with the day where that is not today. */
export function when(at: number, now: number): string {
  if (new Date(at).toDateString() === new Date(now).toDateString()) return clock(at);
  const form = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" } as const;
  return new Date(at).toLocaleString(undefined, form);
}

/** `14:05`. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
}
