/** Language and theme, as two short lists. */
import { setTheme, type Theme, theme } from "../../hands/theme";
import { attemptPart } from "../../store/problems";
import { chooseLanguage, LANGUAGES, type Language, language, words } from "../../words";

export function LanguageChoice() {
  return (
    <label class="choice">
      <span>{words.value.settings.language}</span>
      <select
        data-testid="language"
        value={language.value}
        onChange={(event) => attemptPart(chooseLanguage(event.currentTarget.value as Language))}
      >
        {LANGUAGES.map(([tag, name]) => (
          <option key={tag} value={tag} lang={tag}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

export function ThemeChoice() {
  const { themes, theme: label } = words.value.settings;
  return (
    <label class="choice">
      <span>{label}</span>
      <select
        data-testid="theme"
        value={theme.value}
        onChange={(event) => setTheme(event.currentTarget.value as Theme)}
      >
        {(["system", "light", "dark"] as const).map((one) => (
          <option key={one} value={one}>
            {themes[one]}
          </option>
        ))}
      </select>
    </label>
  );
}
