/** @file A real HTTP server that speaks the chat completions protocol, and misbehaves when it is told to. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  model: string;
  messages: { role: string; content: string }[];
  temperature?: number;
  top_p?: number;
  seed?: number;
  max_tokens?: number;
  stop?: string[];
  top_logprobs?: number;
}

/** What it does with a request: text is a good answer; a function does as it likes with the connection. */
export type Reply = string | ((response: ServerResponse, body: Asked) => void);

/** A good answer. */
export const completion = (text: string, extra: object = {}) =>
  JSON.stringify({
    choices: [{ message: { role: "assistant", content: text }, finish_reason: "stop", ...extra }],
    usage: { prompt_tokens: 10, completion_tokens: 5 },
  });

export const status =
  (code: number, message: string, headers: Record<string, string> = {}): Reply =>
  (response) => {
    response.writeHead(code, headers);
    response.end(JSON.stringify({ error: { message } }));
  };

export async function startServer(reply: (body: Asked, request: IncomingMessage) => Reply) {
  const asked: Asked[] = [];
  const headers: IncomingMessage["headers"][] = [];
  const state = { underWay: 0, most: 0 };
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (part) => {
      text += part;
    });
    request.on("end", () => {
      const body: Asked = JSON.parse(text);
      asked.push(body);
      headers.push(request.headers);
      state.most = Math.max(state.most, ++state.underWay);
      response.on("close", () => state.underWay--);
      const right = request.method === "POST" && request.url === "/v1/chat/completions";
      const made = right ? reply(body, request) : status(404, `no ${request.method} ${request.url}`);
      if (typeof made === "string") setTimeout(() => response.end(completion(made)), 3);
      else made(response, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}/v1`,
    asked,
    headers,
    state,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
