/**
 * @file A binary heap of (weight, key): greatest weight first, then smallest key. Training takes the heaviest pair from
 * it, encoding the pair of lowest rank (as weight -rank), the leftmost of equals (as key).
 */
export class PairHeap {
  private weights: number[] = [];
  private keys: number[] = [];

  get size(): number {
    return this.keys.length;
  }

  push(weight: number, key: number): void {
    let i = this.keys.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.isBefore(weight, key, parent)) break;
      this.move(parent, i);
      i = parent;
    }
    this.weights[i] = weight;
    this.keys[i] = key;
  }

  pop(): { weight: number; key: number } {
    const top = { weight: this.weights[0], key: this.keys[0] };
    const weight = this.weights.pop()!;
    const key = this.keys.pop()!;
    const n = this.keys.length;
    if (n === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= n) break;
      if (child + 1 < n && this.isBefore(this.weights[child + 1], this.keys[child + 1], child)) child++;
      if (this.isBefore(weight, key, child)) break;
      this.move(child, i);
      i = child;
    }
    this.weights[i] = weight;
    this.keys[i] = key;
    return top;
  }

  private isBefore(weight: number, key: number, i: number): boolean {
    return weight > this.weights[i] || (weight === this.weights[i] && key < this.keys[i]);
  }

  private move(from: number, to: number): void {
    this.weights[to] = this.weights[from];
    this.keys[to] = this.keys[from];
  }
}
