// The room that the questions on some pictures need, in the words of the style sheet.

const LEAST_ROWS = 3;
const MANY = 4; // pictures, from which on every row counts

/**
 * The style sheet's properties for the needs of all questions that are asked on the same pictures:
 * the most that any of them needs, so that the pictures have one size.
 * @param {import("../types").Needs[]} needs
 * @param {number} pictures  how many there are
 * @returns {Record<string, string>}
 */
export function room(needs, pictures) {
  const length = (rows, under) => (
    `(${rows} + ${under ? 1 : 0} * var(--rows-of-pictures)) * var(--row)`
  );
  const most = (lengths) => `max(${lengths.join(", ")})`;
  // The common ways to answer get the same room, so that conditions that ask differently show
  // their pictures in one size.
  const rows = (own, under) => (under || pictures >= MANY ? own : Math.max(LEAST_ROWS, own));
  return {
    "--needs-narrow": most(needs.map(({ narrow, more, under }) => (
      length(rows(narrow + more, under), under)
    ))),
    "--needs-wide": most(needs.map(({ wide, more, under }) => (
      length(rows(wide + more, under), under)
    ))),
    "--needs-beside": most(needs.map(({ under }) => length(0, under))),
    "--answers-beside": `${Math.max(...needs.map(({ beside }) => beside))}rem`,
  };
}
