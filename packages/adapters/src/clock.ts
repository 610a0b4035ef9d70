export { createWallClock } from './wall-clock.js';
