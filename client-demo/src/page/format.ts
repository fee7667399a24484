/** Numbers as people read them, in their language. Pure; `locale` is a language tag such as `en`. */

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
/** Making one takes far longer than using it. */
const forms = new Map<string, Intl.NumberFormat>();

/** The person's own variety of a language, such as `en-GB`: it has its own clock. */
export function regional(language: string): string {
  const tags = globalThis.navigator?.languages ?? [];
  return tags.find((tag) => tag.split("-")[0] === language) ?? language;
}

/** `1.5 MB`; powers of ten, as file managers and disks count. */
export function bytes(count: number, locale: string): string {
  let value = count;
  let power = 0;
  while (value >= 999.5 && power < UNITS.length - 1) {
    value /= 1000;
    power += 1;
  }
  const digits = power === 0 || value >= 99.95 ? 0 : 1;
  return formOf(UNITS[power] ?? "byte", digits, locale).format(value);
}

/** `12.3 MB/s`. */
export function speed(bytesPerSecond: number, locale: string): string {
  return `${bytes(bytesPerSecond, locale)}/s`;
}

/** `12,345`. */
export function count(value: number, locale: string): string {
  return value.toLocaleString(locale);
}

/** Whole percent, never 100 before all is there. */
export function percent(done: number, all: number | null): number {
  if (all === null) return 0;
  if (all === 0) return 100;
  return done >= all ? 100 : Math.min(99, Math.floor((done / all) * 100));
}

/** `14:05`; with the day where that is not today. */
export function when(at: number, now: number, locale: string): string {
  if (new Date(at).toDateString() === new Date(now).toDateString()) return clock(at, locale);
  const form = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" } as const;
  return new Date(at).toLocaleString(locale, form);
}

/** `14:05`. */
export function clock(at: number, locale: string): string {
  return new Date(at).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
}

/** `2 hours ago`. */
export function ago(at: number, now: number, locale: string): string {
  const form = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const minutes = Math.round((at - now) / 60_000);
  if (minutes > -60) return form.format(minutes, "minute");
  const hours = Math.round(minutes / 60);
  return hours > -24 ? form.format(hours, "hour") : form.format(Math.round(hours / 24), "day");
}

/** `1 day`, `36 hours`, `90 minutes`: the largest unit that says it whole, and seconds at the least. */
export function period(milliseconds: number, locale: string): string {
  const [unit, length] = PERIODS.find(([, length]) => milliseconds % length === 0) ?? ["second", 1000];
  const form = new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" });
  return form.format(Math.max(1, Math.round(milliseconds / length)));
}

const PERIODS = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
] as const;

function formOf(unit: string, digits: number, locale: string): Intl.NumberFormat {
  const key = `${locale} ${unit} ${digits}`;
  const form =
    forms.get(key) ??
    new Intl.NumberFormat(locale, {
      style: "unit",
      unit,
      unitDisplay: unit === "byte" ? "long" : "short",
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  forms.set(key, form);
  return form;
}
