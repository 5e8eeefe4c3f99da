// Values as text: short, exact, the same on every page. Knows nothing of the page.

const WEI_DECIMALS = 18;

export const short = (hex) => (hex && hex.length > 14 ? `${hex.slice(0, 8)}…${hex.slice(-4)}` : hex || "–");
export const counted = (count, noun) => `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
export const percent = (bps, digits = bps > 0 && bps < 100 ? 1 : 0) => (bps == null ? "–" : `${(bps / 100).toFixed(digits)} %`);
export const between = (low, high) => `${(low / 100).toFixed(0)} to ${percent(high)}`;
export const millionths = (micros) => (micros / 1e6).toFixed(2).replace("-", "−");
export const milliseconds = (ms) => (ms == null ? "–" : `${grouped(Math.round(ms))} ms`);
export const isWeb = (url) => /^https?:\/\//.test(url ?? "");
export const originOf = (url) => url.replace(/\/+(v1\/*)?$/, "");

/** A whole number with its thousands apart. */
export const grouped = (whole) => String(whole).replace(/\B(?=(\d{3})+$)/g, ",");

/** Wei as DGAI with `digits` decimals, cut and not rounded, without floating point. */
export function dgai(wei, digits = 6) {
  const padded = String(wei ?? "0").padStart(WEI_DECIMALS + 1, "0");
  if (/^0+$/.test(padded)) return "0";
  const whole = grouped(padded.slice(0, -WEI_DECIMALS));
  return digits ? `${whole}.${padded.slice(-WEI_DECIMALS).slice(0, digits)}` : whole;
}

/** The same with as many decimals as it needs. */
export const price = (wei, digits = 6) =>
  (wei == null ? "–" : dgai(wei, digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, ""));

/** How many decimals show all of these amounts, at most nine. */
export const decimalsOf = (...weis) => Math.min(9, Math.max(2, ...weis.map((wei) => price(wei, 18).split(".")[1]?.length ?? 0)));
