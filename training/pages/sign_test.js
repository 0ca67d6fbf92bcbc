// The sign test: if both sides were equally good, how often would chance alone give a lead as
// large as this? Ties say nothing about which is better and are left out (Dixon and Mood 1946).
"use strict";

// The two-sided p-value, in [0, 1]; 1 without any preference.
function signTest(first, second) {
  const count = first + second;
  if (count === 0) return 1;
  const fewer = Math.min(first, second);
  // log(n choose k) / 2^n summed up to `fewer`; in logarithms, for 2^n leaves the numbers.
  let logChoose = 0;
  let tail = 0;
  for (let k = 0; k <= fewer; k++) {
    if (k > 0) logChoose += Math.log((count - k + 1) / k);
    tail += Math.exp(logChoose - count * Math.LN2);
  }
  return Math.min(1, 2 * tail);
}
