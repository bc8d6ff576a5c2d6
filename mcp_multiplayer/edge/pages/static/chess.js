// @ts-check
/**
 * As much chess as a board needs whose referee knows the rules: where the pieces stand, and between
 * which squares the moves lead that the referee lists, in UCI or in SAN.
 */

const FEN = /^([1-8pnbrqk]{1,8}\/){7}[1-8pnbrqk]{1,8} [wb]( \S{1,6}){0,4}$/i;
const UCI = /^([a-h][1-8])([a-h][1-8])([qrbn]?)$/;
const SAN = /^([KQRBN]?)([a-h]?)([1-8]?)x?([a-h][1-8])(?:=?([QRBN]))?[+#]?$/;
const CASTLING = /^[O0]-[O0](-[O0])?[+#]?$/;

/** Squares are counted from a8 to h1, as a FEN does. */
export const nameOf = (square) => "abcdefgh"[square % 8] + (8 - (square >> 3));
const squareOf = (name) => "abcdefgh".indexOf(name[0]) + 8 * (8 - Number(name[1]));

const isWhite = (piece) => piece < "a";

/** @returns {{pieces: string[], side: "w" | "b"} | null} null: this is no FEN. */
export function readFen(text) {
  if (typeof text !== "string" || !FEN.test(text)) return null;
  const [placed, side] = text.split(" ");
  const ranks = placed.split("/").map((rank) => rank.replace(/\d/g, (count) => " ".repeat(+count)));
  if (!/^[wb]$/.test(side) || ranks.some((rank) => rank.length !== 8)) return null;
  return { pieces: [...ranks.join("")], side: side === "w" ? "w" : "b" };
}

/** Whether a piece gets from one square to another, its king's safety aside. */
function reaches(pieces, from, to) {
  const across = (to % 8) - (from % 8);
  const down = (to >> 3) - (from >> 3);
  const [wide, high] = [Math.abs(across), Math.abs(down)];
  const step = Math.sign(across) + 8 * Math.sign(down);
  const kind = pieces[from].toUpperCase();
  if (kind === "N") return wide * high === 2;
  if (kind === "K") return Math.max(wide, high) === 1;
  if (kind === "P") {
    const ahead = isWhite(pieces[from]) ? -1 : 1;
    if (wide) return wide === 1 && down === ahead;
    const start = from >> 3 === (ahead < 0 ? 6 : 1) && pieces[from + step] === " ";
    return pieces[to] === " " && (down === ahead || (start && down === 2 * ahead));
  }
  const straight = !wide !== !high;
  const fits = { R: straight, B: wide === high && wide > 0, Q: straight || wide === high };
  if (!fits[kind] || from === to) return false;
  for (let square = from + step; square !== to; square += step) {
    if (pieces[square] !== " ") return false;
  }
  return true;
}

/** Whether the king of whoever moves so stands in no check after it. */
function isSafe(pieces, from, to) {
  const after = [...pieces];
  [after[from], after[to]] = [" ", pieces[from]];
  const white = isWhite(pieces[from]);
  const king = after.indexOf(white ? "K" : "k");
  const isEnemy = (piece) => piece !== " " && isWhite(piece) !== white;
  return !after.some((piece, one) => isEnemy(piece) && reaches(after, one, king));
}

function fromSan({ pieces, side }, text) {
  const own = (letter) => (side === "w" ? letter : letter.toLowerCase());
  const castling = CASTLING.exec(text);
  if (castling) {
    const king = pieces.indexOf(own("K"));
    return king % 8 === 4 ? [king, king + (castling[1] ? -2 : 2), ""] : null;
  }
  const read = SAN.exec(text);
  if (!read) return null;
  const [, kind, file, rank, target, promoted = ""] = read;
  const to = squareOf(target);
  const column = kind ? file : file || target[0]; // a pawn's is left out where it goes straight
  let found = [...pieces.keys()].filter(
    (one) =>
      pieces[one] === own(kind || "P") &&
      nameOf(one).startsWith(column) &&
      nameOf(one).endsWith(rank) &&
      reaches(pieces, one, to),
  );
  if (found.length > 1) found = found.filter((one) => isSafe(pieces, one, to)); // others are pinned
  return found.length === 1 ? [found[0], to, promoted.toLowerCase()] : null;
}

/**
 * The moves among these texts, with the squares that they lead from and to.
 * @returns {{from: number, to: number, promoted: string, uci: string}[]}
 */
export function readMoves(position, texts) {
  const found = [];
  for (const text of texts) {
    const [, start, end, kind] = UCI.exec(text) ?? [];
    const move = start ? [squareOf(start), squareOf(end), kind] : fromSan(position, text);
    const [from, to, promoted] = move ?? [];
    if (!move || position.pieces[from] === " ") continue;
    found.push({ from, to, promoted, uci: nameOf(from) + nameOf(to) + promoted });
  }
  return found;
}
