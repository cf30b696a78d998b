/** Puts the page together. */

import { ask } from "./api.js";
import * as counter from "./counter.js";
import * as outcome from "./outcome.js";
import * as scenarios from "./scenarios.js";
import * as settle from "./settle.js";
import * as today from "./today.js";
import * as wire from "./wire.js";

wire.start();
outcome.start((attempt) => {
  if (attempt.sale !== null) today.keep(attempt.sale);
  if (!attempt.running) today.look();
});
counter.start();
today.start();

const simulator = await ask("GET", "/local/simulator", { quiet: true });
if (simulator.ok) {
  scenarios.start(simulator.json);
  settle.start(simulator.json);
}
document.documentElement.dataset.ready = "yes";
