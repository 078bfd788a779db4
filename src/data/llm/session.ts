/**
 * @file Models in use by one job: each answer is asked for and paid once and then comes from the file of answers, within
 * a budget, at most so many requests at once, again after failures that pass. After a kill the same job asks only for
 * what it has no answer to yet, so that it ends with the same result.
 */
import { Stopped, UserError } from "../../util/assert.ts";
import { makeRandom } from "../../util/random.ts";
import { openAnswerFile, type Spent } from "./answerFile.ts";
import { type BudgetLimits, makeBudget } from "./budget.ts";
import { AskError, type ChatAnswer, type ChatModel, type ChatRequest, MAX_TOKENS, requestKey } from "./chatModel.ts";
import { promptBound } from "./endpoint.ts";

export interface SessionOptions {
  /** The file of answers. */
  path: string;
  budget: BudgetLimits;
  /** Requests at once. */
  concurrency: number;
  /** How often a request that fails for a passing reason is sent again. */
  retries: number;
  /** Before the first time; it doubles each time, up to a minute. */
  firstDelaySeconds?: number;
  /** Nothing is sent after it; what is under way is waited for, since it is paid. */
  stop?: AbortSignal;
}

/** Per million tokens, in the unit of the budget's money. */
export interface Price {
  prompt: number;
  completion: number;
}

export interface Session {
  /** The model with all that. Its `ask` throws Stopped after `stop`, for what is not in the file. */
  use(model: ChatModel, price?: Price): ChatModel;
  readonly spent: Readonly<Spent>;
  /** Questions that were answered from the file, in this run. */
  readonly cached: number;
  close(): void;
}

const LONGEST_DELAY_SECONDS = 60;
/** An endpoint that asks for a longer wait than this is left alone (CHOSEN). */
const LONGEST_WAIT_SECONDS = 600;
/** So many requests that failed with all retries, and no answer between them: the endpoint is down (CHOSEN). */
const DOWN = 5;

export function openSession(options: SessionOptions): Session {
  const { path, concurrency, retries, firstDelaySeconds = 1, stop } = options;
  const answers = openAnswerFile(path);
  const budget = makeBudget(options.budget, answers.spent);
  const underWay = new Map<string, Promise<ChatAnswer>>();
  const enter = makeGate(concurrency);
  const end = new AbortController();
  let cached = 0;
  let failedInARow = 0;
  stop?.addEventListener("abort", () => end.abort(new Stopped()), { once: true });
  if (stop?.aborted) end.abort(new Stopped());

  async function askNew(model: ChatModel, price: Price, key: string, request: ChatRequest): Promise<ChatAnswer> {
    const most = cost(price, promptBound(request), request.maxTokens ?? MAX_TOKENS);
    for (let attempt = 0; ; attempt++) {
      await budget.reserve(most);
      let failure: AskError;
      try {
        end.signal.throwIfAborted();
        const { cached: _, ...answer } = await model.ask(request);
        answers.add({ key, answer, model: model.name, ...cost(price, answer.promptTokens, answer.completionTokens) });
        failedInARow = 0;
        return { ...answer, cached: false };
      } catch (error) {
        if (!(error instanceof AskError)) throw error;
        failure = error;
        const spent = failure.charged ? most : { requests: 1, tokens: 0, money: 0 };
        answers.add({ failed: failure.message, model: model.name, ...spent });
      } finally {
        budget.release(most);
      }
      if (!failure.retry) throw failure;
      const asked = failure.retryAfterSeconds ?? 0;
      if (asked > LONGEST_WAIT_SECONDS)
        throw new UserError(`${failure.message}; it asks to wait ${Math.ceil(asked)} s: run the same command then`);
      if (attempt === retries) {
        if (++failedInARow < DOWN) throw failure;
        throw new UserError(`${failure.message}; ${DOWN} requests in a row failed: the same command goes on from here`);
      }
      const jitter = 0.5 + makeRandom(key, "delay", String(attempt)).next() / 2;
      const delay = jitter * Math.min(LONGEST_DELAY_SECONDS, firstDelaySeconds * 2 ** attempt);
      await sleep(Math.max(delay, asked), end.signal);
    }
  }

  /** What is no fault of one request ends the session: the same error for all that still ask. */
  async function askOrEnd(...question: Parameters<typeof askNew>): Promise<ChatAnswer> {
    end.signal.throwIfAborted();
    try {
      return await askNew(...question);
    } catch (error) {
      if (!(error instanceof AskError)) end.abort(error);
      throw error;
    }
  }

  return {
    use(model, price = { prompt: 0, completion: 0 }) {
      return {
        name: model.name,
        host: model.host,
        async ask(request) {
          const key = requestKey(model, request);
          const known = answers.get(key);
          if (known) {
            cached++;
            return known;
          }
          const same = underWay.get(key);
          if (same) return { ...(await same), cached: true };
          const answer = enter(() => askOrEnd(model, price, key, request)).finally(() => underWay.delete(key));
          underWay.set(key, answer);
          return answer;
        },
      };
    },
    spent: answers.spent,
    get cached() {
      return cached;
    },
    close: answers.close,
  };
}

const cost = (price: Price, promptTokens: number, completionTokens: number): Spent => ({
  requests: 1,
  tokens: promptTokens + completionTokens,
  money: (promptTokens * price.prompt + completionTokens * price.completion) / 1e6,
});

/** Runs at most `width` at once, in the order of their coming. */
function makeGate(width: number) {
  let free = width;
  const waiting: (() => void)[] = [];
  return async <T>(run: () => Promise<T>): Promise<T> => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}

/** Ends early at `stop`. */
const sleep = (seconds: number, stop: AbortSignal) =>
  new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, seconds * 1000);
    stop.addEventListener("abort", done);
    if (stop.aborted) done();
  });
