/** How much of the longest part the next one is still expected to take. */
const FORGETTING = 0.98;

/** How long the parts of batches take between which a commit is possible, over all memberships of a worker: what was slow once will be slow again (C3). */
export class BatchPace {
  /** Expected of the next part at worst, in milliseconds. */
  longestMs = 0;
  private began = 0;

  begin(): void {
    this.began = performance.now();
  }

  /** A part has ended, and the next begins. */
  end(): void {
    const now = performance.now();
    this.longestMs = Math.max(now - this.began, this.longestMs * FORGETTING);
    this.began = now;
  }
}
