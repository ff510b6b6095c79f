import { BIT_FLIPS } from './bit-flip.mjs';
import { CleanBrokerRestart, HardBrokerRestart } from './broker-restart.mjs';
import { FrozenBroker } from './frozen-broker.mjs';
import { FrozenInstance } from './frozen-instance.mjs';
import { FullDisk } from './full-disk.mjs';
import { Kill } from './kill.mjs';
import { LostState } from './lost-state.mjs';
import { Rolling } from './rolling.mjs';
import { SwappedState } from './swapped-state.mjs';

/**
 * A fault is made for each time it strikes, `new Kind(run, random)`, then `inject()`, `heal()` and `prove()` are called, each once.
 * - `inject` returns when the harm is done, `heal` when every task runs again.
 * - `prove` returns in words what effect the fault had, and throws when it had none.
 * - `static kind` is its name; `static repeats`: at-least-once may do records twice because of it; `static regresses`: at-least-once may
 *   even fall back to older counts (C2); `static impossible(run)` says why it cannot be done here.
 */
export const FAULTS = [Kill, FrozenBroker, FrozenInstance, Rolling, CleanBrokerRestart, HardBrokerRestart, LostState, SwappedState, ...BIT_FLIPS, FullDisk];
