/** @file Pairs of token numbers, numbered as they come: open addressing over typed arrays. */

export function makeLinkTable(expected = 1024) {
  let capacity = 1 << Math.max(10, Math.ceil(Math.log2(expected + 1)) + 1);
  let slots = new Int32Array(capacity); // link + 1, 0 is free
  let sourceOf = new Int32Array(capacity >> 1);
  let targetOf = new Int32Array(capacity >> 1);
  let size = 0;

  const slotOf = (source: number, target: number): number => {
    let hash = Math.imul(source, 0x9e3779b1) ^ Math.imul(target, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    let slot = (hash ^ (hash >>> 13)) & (capacity - 1);
    for (;;) {
      const link = slots[slot] - 1;
      if (link < 0 || (sourceOf[link] === source && targetOf[link] === target)) return slot;
      slot = (slot + 1) & (capacity - 1);
    }
  };
  const grow = () => {
    capacity *= 2;
    slots = new Int32Array(capacity);
    const [sources, targets] = [sourceOf, targetOf];
    sourceOf = new Int32Array(capacity >> 1);
    targetOf = new Int32Array(capacity >> 1);
    sourceOf.set(sources);
    targetOf.set(targets);
    for (let link = 0; link < size; link++) slots[slotOf(sourceOf[link], targetOf[link])] = link + 1;
  };

  return {
    /** The number of the link, made if it is new. */
    add(source: number, target: number): number {
      let slot = slotOf(source, target);
      if (slots[slot] === 0) {
        if (size === capacity >> 1) {
          grow();
          slot = slotOf(source, target);
        }
        sourceOf[size] = source;
        targetOf[size] = target;
        slots[slot] = ++size;
      }
      return slots[slot] - 1;
    },
    /** The number of the link, or -1. */
    find: (source: number, target: number) => slots[slotOf(source, target)] - 1,
    size: () => size,
    sources: () => sourceOf.subarray(0, size),
    targets: () => targetOf.subarray(0, size),
  };
}
