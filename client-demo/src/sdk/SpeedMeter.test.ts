// Speed and time left, from readings at given times.
import { expect, test } from "vitest";
import { SpeedMeter } from "./SpeedMeter";

test("speed is bytes a second over the last seconds", () => {
  const meter = new SpeedMeter();
  for (let second = 0; second <= 20; second += 1) {
    meter.note(second * 1000, second < 10 ? 0 : (second - 10) * 500);
  }
  expect(meter.bytesPerSecond(20_000)).toBe(500);
  expect(meter.secondsLeft(20_000, 6000)).toBe(2);
});

test("it sinks to nothing when nothing comes", () => {
  const meter = new SpeedMeter();
  meter.note(0, 0);
  meter.note(1000, 1000);
  expect(meter.bytesPerSecond(2000)).toBe(500);
  expect(meter.bytesPerSecond(60_000)).toBe(0);
});

test("time left is unknown without a size or a speed", () => {
  const meter = new SpeedMeter();
  expect(meter.secondsLeft(0, 10)).toBeNull();
  meter.note(0, 0);
  meter.note(1000, 1000);
  expect(meter.secondsLeft(1000, null)).toBeNull();
});

test("fewer bytes than before start over", () => {
  const meter = new SpeedMeter();
  meter.note(0, 5000);
  meter.note(1000, 0);
  expect(meter.bytesPerSecond(1000)).toBe(0);
});
