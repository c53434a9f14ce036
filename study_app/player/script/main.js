// Where Streamlit calls. It may call again on every rerun, and may take the component out and put
// it back when its connection is lost: one player goes on through all of that.

const GONE_AFTER_MS = 1500;

let flow = null;
let farewell = null;

export default function mount({ data, parentElement }) {
  clearTimeout(farewell);
  if (flow === null || flow.study !== data.study) {
    flow?.stop();
    const template = parentElement.querySelector("#screens");
    const css = parentElement.querySelector("style").textContent;
    flow = new Flow(data, template, css);
  }
  return () => {
    farewell = setTimeout(() => {
      flow?.stop();
      flow = null;
    }, GONE_AFTER_MS);
  };
}
