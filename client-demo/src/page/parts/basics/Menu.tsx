/** A button that opens a short list: closed by Escape, by going elsewhere, and by what was chosen; walked by arrows. */
import { useSignal } from "@preact/signals";
import type { IconNode } from "lucide";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "./Icon";

interface MenuProps {
  node: IconNode;
  label: string;
  testId: string;
  /** Where the list opens. */
  side: "below" | "above";
  children: (close: () => void) => ComponentChildren;
}

export function Menu({ node, label, testId, side, children }: MenuProps) {
  const open = useSignal(false);
  const whole = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const close = () => {
    if (!open.value) return;
    open.value = false;
    opener.current?.focus();
  };
  useEffect(() => {
    if (!open.value) return;
    items(whole.current)[0]?.focus();
    const elsewhere = (event: PointerEvent) => {
      if (event.target instanceof Node && !whole.current?.contains(event.target)) open.value = false;
    };
    document.addEventListener("pointerdown", elsewhere);
    return () => document.removeEventListener("pointerdown", elsewhere);
  }, [open.value]);
  const walk = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const all = items(whole.current);
    const next = all.indexOf(document.activeElement as HTMLElement) + step;
    all[(next + all.length) % all.length]?.focus();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys are those of the buttons in it
    <div class="menu" ref={whole} onKeyDown={walk}>
      <button
        ref={opener}
        class="icon-button plain"
        type="button"
        data-testid={testId}
        title={label}
        aria-label={label}
        aria-expanded={open.value}
        onClick={() => {
          open.value = !open.value;
        }}
      >
        <Icon node={node} />
      </button>
      {open.value && <div class={`menu-list ${side}`}>{children(close)}</div>}
    </div>
  );
}

interface MenuItemProps {
  node: IconNode;
  testId: string;
  onClick: () => void;
  children: ComponentChildren;
}

export function MenuItem({ node, testId, onClick, children }: MenuItemProps) {
  return (
    <button class="menu-item" type="button" data-testid={testId} onClick={onClick}>
      <Icon node={node} size={18} />
      <span>{children}</span>
    </button>
  );
}

function items(menu: HTMLElement | null): HTMLElement[] {
  return [
    ...(menu?.querySelectorAll<HTMLElement>(".menu-list button, .menu-list select, .menu-list a") ?? []),
  ];
}
