/** @file What a model's directory has beside its weights, for the model that is made from it. */
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chatTemplate, defaultSystemOf } from "../tokenizer/chatTemplate.ts";

/** The tokenizer in the forms that transformers reads. */
const TOKENIZER =
  /^(tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|chat_template\.jinja|vocab\.json|merges\.txt|.*\.tiktoken)$/;

/**
 * Copies the tokenizer and how to generate. Answers of a fine-tuned model end with `imEnd`: it becomes `eos_token_id`
 * unless it is one already. A model without a chat template gets the one that it was trained with.
 */
export function copyModelFiles(source: string, folder: string, imEnd: number) {
  for (const name of readdirSync(source))
    if (TOKENIZER.test(name)) copyFileSync(join(source, name), join(folder, name));
  const template = join(folder, "chat_template.jinja");
  if (defaultSystemOf(source) === null && !existsSync(template) && !configHasTemplate(folder))
    writeFileSync(template, chatTemplate(null));
  const path = join(source, "generation_config.json");
  if (!existsSync(path)) return; // saveModel wrote one
  const config = JSON.parse(readFileSync(path, "utf8"));
  if (![config.eos_token_id].flat().includes(imEnd)) config.eos_token_id = imEnd;
  writeFileSync(join(folder, "generation_config.json"), `${JSON.stringify(config, null, 2)}\n`);
}

function configHasTemplate(folder: string): boolean {
  const path = join(folder, "tokenizer_config.json");
  return existsSync(path) && JSON.parse(readFileSync(path, "utf8")).chat_template !== undefined;
}
