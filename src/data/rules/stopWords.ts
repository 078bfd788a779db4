/**
 * @file Stop words per language: stopwords-iso, and own lists for Azerbaijani, Kazakh and Nepali, which it has not
 * (function words; no native speaker has read them). Loaded when first asked for.
 */
import { createRequire } from "node:module";

const OWN: Record<string, string> = {
  az: "və bu bir də da ilə üçün ki o olan olaraq daha hər çox kimi isə ya ola onun əgər sonra həm ən bütün heç öz etmək edir olmaq edilir olur var yox nə mən sən biz siz onlar bunun həmin artıq yalnız qədər görə əvvəl belə bəzi lakin amma necə niyə harada zaman",
  kk: "және бұл бір да де мен үшін үшін болып болады деп осы ол оның емес бар жоқ ең өз әр бір барлық кез келген немесе егер сол соң кейін дейін туралы сияқты бірақ тек қана біз сіз сен олар оны оған мұны мұндай қалай неге қайда қашан керек мүмкін еді екен ғой ма ме ба бе па пе",
  ne: "र को का की मा ले लाई पनि छ छन् हो हुन् यो यस त्यो भने भएको गर्न गर्ने गरेको लागि हुने हुन्छ तथा वा एक सबै कुनै आफ्नो प्रत्येक बाट सँग तर अनि यदि म हामी तपाईं उनी उनीहरू के किन कसरी कहाँ कहिले अब जो जुन नै त थियो थिए भन्ने द्वारा",
};

const lists = new Map<string, ReadonlySet<string>>();

/** The stop words of a language (ISO 639-1), lower-cased; empty where there is no list. */
export function stopWordsOf(language: string): ReadonlySet<string> {
  let list = lists.get(language);
  if (!list) {
    const iso: Record<string, string[]> = createRequire(import.meta.url)("stopwords-iso");
    list = new Set(OWN[language]?.split(" ") ?? iso[language] ?? []);
    lists.set(language, list);
  }
  return list;
}
