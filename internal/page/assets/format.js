// How figures are written. Lengths of time are seconds.

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export const count = (n) => whole.format(n);

// speed is for what may be less than one a second.
export const speed = (n) => (n > 0 && n < 9.95 ? tenth.format(n) : whole.format(n));

// size has three digits.
export function size(n) {
  let i = 0;
  while (n >= 999.5 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  const digits = i === 0 || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2;
  return `${n.toFixed(digits)} ${units[i]}`;
}

export const percent = (part) => `${Math.floor(100 * part)}%`;

export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

// when is a time of the last day by the clock, another with its day too.
export function when(time, now) {
  const at = new Date(time);
  return Math.abs(new Date(now) - at) < 20 * 3600 * 1000 ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
}

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

// since is how many seconds there are from one time to another.
export const since = (from, to) => (new Date(to) - new Date(from)) / 1000;
