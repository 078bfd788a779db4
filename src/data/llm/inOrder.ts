/** @file Work on items that waits more than it computes: several under way, results in the order of the items. */

/**
 * Works on at most `ahead` items at once and yields the results in order. After an error it waits for what is under way
 * (answers that are being paid) and throws it.
 */
export async function* inOrder<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  ahead: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      result.catch(() => {}); // it is thrown when its turn comes
      underWay.push(result);
      if (underWay.length < ahead) continue;
      yield await underWay[0];
      underWay.shift();
    }
    while (underWay.length > 0) {
      yield await underWay[0];
      underWay.shift();
    }
  } finally {
    await Promise.allSettled(underWay);
  }
}

/** All results, or the first failure once nothing is under way any more: what is asked together ends together. */
export async function together<R>(work: readonly Promise<R>[]): Promise<R[]> {
  const ended = await Promise.allSettled(work);
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  return ended.map((one) => (one as PromiseFulfilledResult<R>).value);
}
