/** A small picture of a file, or a sign for its kind. */
import {
  File,
  FileArchive,
  FileImage,
  FileMusic,
  FileText,
  FileVideoCamera,
  Folder,
  type IconNode,
  Lock,
} from "lucide";
import { useEffect, useState } from "preact/hooks";
import type { KindName } from "../../store/kinds";
import { Icon } from "./Icon";

type Sign = KindName | "folder" | "locked";

const SIGNS: Record<Sign, IconNode> = {
  image: FileImage,
  audio: FileMusic,
  video: FileVideoCamera,
  archive: FileArchive,
  text: FileText,
  pdf: FileText,
  other: File,
  folder: Folder,
  locked: Lock,
};

interface ThumbProps {
  preview: Blob | undefined;
  kind: Sign;
}

export function Thumb({ preview, kind }: ThumbProps) {
  const address = useAddress(preview);
  return (
    <span class={`thumb ${kind}`} aria-hidden="true">
      {address ? <img src={address} alt="" data-testid="preview" /> : <Icon node={SIGNS[kind]} size={22} />}
    </span>
  );
}

/** An address of `blob` for as long as it is shown. */
function useAddress(blob: Blob | undefined): string | undefined {
  const [address, setAddress] = useState<string | undefined>(undefined);
  useEffect(() => {
    if (!blob) return;
    const made = URL.createObjectURL(blob);
    setAddress(made);
    return () => {
      setAddress(undefined);
      URL.revokeObjectURL(made);
    };
  }, [blob]);
  return address;
}
