/** The room's code, its link as a QR code, and the ways to hand it on. Loaded apart, for the QR code's sake. */
import { useSignal } from "@preact/signals";
import { Check, Copy, Share2 } from "lucide";
import encodeQR from "qr";
import { sealed } from "../../store/here";
import { roomLink, route } from "../../store/route";
import { words } from "../../words";
import { Icon } from "../basics/Icon";

type Copied = "not" | "copied" | "failed";

export function Invite() {
  const here = route.value;
  const t = words.value.invite;
  if (here.page !== "room") return null;
  const link = roomLink();
  return (
    <div class="invite" data-testid="invite">
      <Code link={link} />
      <div class="invite-ways">
        <p class="invite-code code wrap" data-testid="invite-code">
          {here.room}
        </p>
        <div class="invite-buttons">
          <CopyLink link={link} />
          {typeof navigator.share === "function" && (
            <button
              class="button"
              type="button"
              data-testid="system-share"
              onClick={() =>
                void navigator.share({ title: "roomdrop", text: t.text, url: link }).catch(() => undefined)
              }
            >
              <Icon node={Share2} size={18} />
              <span>{t.more}</span>
            </button>
          )}
        </div>
        {sealed.value && <p class="quiet">{t.needsLink}</p>}
      </div>
    </div>
  );
}

/** Dark on light in both themes, as cameras expect. */
function Code({ link }: { link: string }) {
  const rows = encodeQR(link, "raw", { border: 2 });
  const size = rows.length;
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return (
    <svg
      class="qr"
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label={words.value.invite.qr}
      data-testid="qr"
    >
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#14161d" shape-rendering="crispEdges" />
    </svg>
  );
}

function CopyLink({ link }: { link: string }) {
  const copied = useSignal<Copied>("not");
  const t = words.value;
  const copy = async () => {
    copied.value = await navigator.clipboard.writeText(link).then(
      () => "copied" as const,
      () => "failed" as const,
    );
  };
  return (
    <>
      <button class="button" type="button" data-testid="copy-link" onClick={() => void copy()}>
        <Icon node={copied.value === "copied" ? Check : Copy} size={18} />
        <span aria-live="polite">{copied.value === "copied" ? t.copied : t.invite.copyLink}</span>
      </button>
      {copied.value === "failed" && (
        <p class="bad wide" role="alert">
          {t.invite.copyFailed}
        </p>
      )}
    </>
  );
}
