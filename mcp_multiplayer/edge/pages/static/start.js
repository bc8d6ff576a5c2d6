// @ts-check
/** Pages with texts to copy and games to play at once. */

import "./copy.js";
import "./play.js";
