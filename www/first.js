// Says in words why the page cannot start where not even its own script can be loaded, as in a frame without an origin whose
// site allows none. A plain script: those load everywhere.
addEventListener(
  "error",
  ({ target }) => {
    if (target?.id !== "start") return;
    const words =
      self.origin === "null"
        ? "This frame has no origin of its own (its page says sandbox=\"allow-scripts\"), and such a frame may load this page's scripts only where their site allows every origin: it has to send the header \u201cAccess-Control-Allow-Origin: *\u201d. Without that, the frame needs allow-same-origin as well."
        : "The page's script could not be loaded. Reloading the page may help.";
    const say = () => document.querySelectorAll(".boot").forEach((line) => (line.textContent = words));
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", say);
    else say();
  },
  true,
);
