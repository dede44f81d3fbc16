// plotly.js in a bundle of its own, which is fetched when the first chart is shown.
// @ts-expect-error the bundle of plotly.js has no types
export { default } from "plotly.js-basic-dist-min";
