export { type BackendChoice, type BackendName, chooseBackend } from './backend.js';
export {
  createNeuralForecaster,
  type NeuralForecaster,
  type NeuralOptions,
  type TrainingReport,
} from './neural-forecaster.js';
