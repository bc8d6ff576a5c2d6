// @ts-check
/**
 * The page of a match on its server: finds the record that the reader may have, and lets the reader
 * keep it together with the viewer, as one file that needs no server.
 */

import { find, fragment, tell } from "./dom.js";
import { playing, recordOf, whoIsIn } from "./session.js";

const link = find("record");
const { channel } = link.dataset;

/** Where the record is: of the link that somebody follows, of a player of this browser, or listed. */
async function whereItIs() {
  const watch = location.hash.startsWith("#wat_") ? location.hash.slice(1) : "";
  if (watch) return `/watch_record?${new URLSearchParams({ channel_id: channel, watch })}`;
  const listed = link.getAttribute("href");
  if (listed && !fragment().has("as")) return listed;
  const { tag, info } = await whoIsIn(channel, fragment().get("as"));
  const seat = info.view.slots.find((one) => one.you)?.label;
  return recordOf(playing(tag), channel, seat);
}

/** The viewer with the record in it. */
async function whole(event) {
  event.preventDefault();
  const [viewer, record] = await Promise.all([
    fetch("/match.html?record").then((answer) => answer.text()),
    fetch(link.href).then((answer) => answer.blob()),
  ]);
  const read = new FileReader();
  read.onload = () => {
    const place = 'id="record">';
    const cut = viewer.indexOf(place) + place.length;
    const base64 = String(read.result).split(",")[1];
    const file = new Blob([viewer.slice(0, cut), base64, viewer.slice(cut)], { type: "text/html" });
    const saved = document.createElement("a");
    saved.setAttribute("download", "match.html");
    saved.href = URL.createObjectURL(file);
    saved.click();
    setTimeout(() => URL.revokeObjectURL(saved.href), 60_000);
  };
  read.readAsDataURL(record);
}

try {
  link.href = await whereItIs();
  find("whole").addEventListener("click", (event) =>
    whole(event).catch((error) => tell("refused", error)));
  await import("./match.js");
} catch (error) {
  tell("refused", error);
}
