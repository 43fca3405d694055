// How long until a moment, in the words that people use.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function amount(milliseconds: number): string {
  const [size, word] = milliseconds >= 2 * DAY ? [DAY, "day"] : milliseconds >= 2 * HOUR ? [HOUR, "hour"] : [MINUTE, "minute"];
  const number = Math.floor(milliseconds / (size as number));
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

/** "in 3 hours", "now", "2 days late"; "" where there is no such moment. */
export function timeLeft(moment: Date, now: Date): string {
  const left = moment.getTime() - now.getTime();
  if (Number.isNaN(left)) return "";
  if (Math.abs(left) < MINUTE) return "now";
  return left > 0 ? `in ${amount(left)}` : `${amount(-left)} late`;
}
