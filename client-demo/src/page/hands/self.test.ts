/** Names and faces: what others see of one, and what one sees of them, whatever they call themselves. */
import { describe, expect, test } from "vitest";
import { AVATARS, faceOf, pictureOf, self, setAvatar, setName, tidyName, wireName } from "./self";

const LONGEST = 64;

describe("oneself", () => {
  test("an avatar stands in front of the name on the wire", () => {
    expect(wireName({ name: "Ada", avatar: "🦊" })).toBe("🦊 Ada");
    expect(wireName({ name: "Ada", avatar: "" })).toBe("Ada");
  });

  test("no name is longer than the wire takes, with any avatar", () => {
    for (const avatar of ["", ...AVATARS, "👩🏽‍🚀", "🇩🇪"]) {
      setName("x".repeat(500));
      setAvatar(avatar);
      expect([...wireName()].length).toBeLessThanOrEqual(LONGEST);
      expect(wireName()).toContain("x".repeat(50));
    }
  });

  test("a name is one line", () => {
    expect(tidyName("  Ada\n\tLove\u0000lace ")).toBe("Ada Love lace");
  });

  test("no name at all makes up a new one", () => {
    setName("   ");
    expect(self.value.name).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/);
  });

  test("an avatar is one emoji and nothing else", () => {
    for (const [given, kept] of [
      ["🦊", "🦊"],
      ["👩🏽‍🚀", "👩🏽‍🚀"],
      ["🦊🦊", ""],
      ["x", ""],
      ["7", ""],
      ["<b>", ""],
    ] as const) {
      setAvatar(given);
      expect(self.value.avatar).toBe(kept);
    }
  });

  test("every avatar to choose is one, and none is there twice", () => {
    expect(new Set(AVATARS).size).toBe(AVATARS.length);
    for (const avatar of AVATARS) expect(faceOf(`${avatar} Ada`, "m")).toMatchObject({ avatar, name: "Ada" });
  });

  test("a made-up animal has its picture", () => {
    expect(pictureOf("Calm Otter")).toBe("🦦");
    expect(pictureOf("Calm Wren")).toBe("");
  });
});

describe("faces", () => {
  test("an emoji in front of a name is the avatar", () => {
    expect(faceOf("🦊 Ada", "m1")).toMatchObject({ avatar: "🦊", name: "Ada" });
    expect(faceOf("👩🏽‍🚀Ada", "m1")).toMatchObject({ avatar: "👩🏽‍🚀", name: "Ada" });
    expect(faceOf("🇨🇳 李雷", "m1")).toMatchObject({ avatar: "🇨🇳", name: "李雷" });
  });

  test("without one, initials stand on the member's colour", () => {
    expect(faceOf("Ada", "m1")).toMatchObject({ avatar: "", name: "Ada", initials: "A" });
    expect(faceOf("ada king lovelace", "m1").initials).toBe("AL");
    expect(faceOf("李雷", "m1").initials).toBe("李");
    expect(faceOf("Ada", "m1").hue).toBe(faceOf("Someone else", "m1").hue);
    expect(faceOf("Ada", "m1").hue).not.toBe(faceOf("Ada", "m2").hue);
  });

  test("digits and signs are no avatars", () => {
    expect(faceOf("7 of 9", "m")).toMatchObject({ avatar: "", name: "7 of 9" });
    expect(faceOf("#1", "m")).toMatchObject({ avatar: "", name: "#1" });
  });

  test("a hostile name is only a name", () => {
    expect(faceOf("<b>Bo</b>", "m").name).toBe("<b>Bo</b>");
    expect(faceOf("Ada\u202Egpj.exe", "m").name).toBe("Ada gpj.exe");
    expect(faceOf("", "m").name).toBe("?");
    expect(faceOf("🦊", "m")).toMatchObject({ avatar: "🦊", name: "🦊" });
    expect([...faceOf("x".repeat(9999), "m").name].length).toBeLessThanOrEqual(LONGEST);
    expect(faceOf("\u202E\u0000", "m").name).toBe("?");
  });
});
