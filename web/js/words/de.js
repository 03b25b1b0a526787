// German. Plural forms are named by Intl.PluralRules; {names} in braces are filled in.
export default {
  direction: 'ltr',

  // The frame
  skip: 'Zum Hauptinhalt springen',
  sign_out: 'Abmelden',
  cancel: 'Abbrechen',

  // Signing in and out
  sign_in: 'Anmelden',
  sign_in_title: 'Anmelden – {name}',
  email: 'E-Mail',
  password: 'Passwort',
  show: 'Zeigen',
  show_password: 'Passwort zeigen',
  sign_in_incomplete: 'Geben Sie Ihre E-Mail-Adresse und Ihr Passwort ein.',
  sign_in_wrong: 'E-Mail-Adresse oder Passwort ist falsch.',
  sign_in_throttled: {
    one: 'Zu viele Versuche. Versuchen Sie es in {count} Sekunde erneut.',
    other: 'Zu viele Versuche. Versuchen Sie es in {count} Sekunden erneut.',
  },
  sign_in_no_cookie:
    'Der Browser behält kein Cookie dieses Servers. Öffnen Sie diese Seite unter der Adresse in seiner PUBLIC_URL.',
  sign_in_again: 'Erneut anmelden',
  not_now: 'Nicht jetzt',
  session_ended: 'Ihre Sitzung ist beendet. Melden Sie sich an, um fortzufahren.',
  session_left: 'Sie haben sich in einem anderen Tab abgemeldet. Melden Sie sich an, um fortzufahren.',
  session_other:
    'In einem anderen Tab hat sich jemand anders angemeldet. Melden Sie sich als {email} an, um fortzufahren.',
  files_waiting: { one: '{count} Datei wartet.', other: '{count} Dateien warten.' },
  sign_out_question: 'Abmelden?',
  sign_out_loses: {
    one: '{count} Datei ist noch nicht hochgeladen und wird aufgegeben.',
    other: '{count} Dateien sind noch nicht hochgeladen und werden aufgegeben.',
  },
  still_signed_in: 'Sie sind noch angemeldet: Der Server hat nicht geantwortet.',

  // The connection
  offline: 'Sie sind offline. Sobald die Verbindung wieder da ist, geht das Hochladen weiter.',
  unreachable:
    'Der Server ist nicht erreichbar. Sobald die Verbindung wieder da ist, geht das Hochladen weiter.',
  unreachable_now: 'Der Server ist nicht erreichbar. Prüfen Sie Ihre Verbindung und versuchen Sie es erneut.',
  try_now: 'Jetzt versuchen',

  // Adding files
  add_files: 'Dateien hinzufügen',
  choose_files: 'Dateien auswählen',
  choose_folder: 'Ordner auswählen',
  or_drop: 'oder hier ablegen',
  hint: '{types} · je bis zu {size}',
  drop_to_add: {
    one: 'Ablegen, um {count} Datei hinzuzufügen',
    other: 'Ablegen, um {count} Dateien hinzuzufügen',
  },
  drop_refused: 'Diese Dateien werden nicht angenommen. Nur {types}.',
  drop_unreadable: 'Dieser Browser gibt abgelegte Dateien nicht weiter. Klicken Sie auf „Dateien auswählen“.',
  drop_entered: 'Über der Ablagefläche',
  drop_left: 'Ablagefläche verlassen',
  added: { one: '{count} Datei hinzugefügt', other: '{count} Dateien hinzugefügt' },
  added_some: {
    one: '{count} Datei hinzugefügt, {refused} abgelehnt',
    other: '{count} Dateien hinzugefügt, {refused} abgelehnt',
  },
  already_listed: '{name} steht schon in der Liste',
  already_listed_many: {
    one: '{count} Datei steht schon in der Liste',
    other: '{count} Dateien stehen schon in der Liste',
  },

  // The queue
  uploads: 'Hochladen',
  retry: 'Wiederholen',
  retry_failed: 'Fehlgeschlagene wiederholen',
  clear_finished: 'Fertige entfernen',
  retry_name: '{name} erneut hochladen',
  cancel_name: 'Hochladen von {name} abbrechen',
  remove_name: '{name} aus der Liste entfernen',
  uploading_name: '{name} wird hochgeladen',
  waiting: 'Wartet · {size}',
  waiting_connection: 'Wartet auf die Verbindung',
  waiting_sign_in: 'Wartet auf die Anmeldung',
  uploading: 'Lädt hoch · {percent} % · {loaded} von {size}',
  checking: 'Wird geprüft …',
  uploaded: 'Hochgeladen · {size}',
  cancelled: 'Abgebrochen · {size}',
  not_added: 'Nicht hinzugefügt. {reason}',
  not_uploaded: 'Nicht hochgeladen. {reason}',
  summary: '{done} von {count} hochgeladen',
  summary_failed: '{done} von {count} hochgeladen · {failed} fehlgeschlagen',
  percent_uploaded: '{percent} % hochgeladen',
  title_uploading: '({done}/{count}) Hochladen – {title}',
  files_uploaded: { one: '{count} Datei hochgeladen', other: '{count} Dateien hochgeladen' },
  files_failed: '{failed} fehlgeschlagen',
  files_cancelled: '{cancelled} abgebrochen',
  first_failure: '1 Datei fehlgeschlagen: {name}. {reason}',

  // Why a file is refused, or an upload fails
  refused_type: 'Die Datei muss {types} sein.',
  refused_size: 'Die Datei darf höchstens {limit} groß sein. Diese hat {size}.',
  refused_size_slightly: 'Die Datei darf höchstens {limit} groß sein. Diese ist etwas größer.',
  refused_empty: 'Die Datei ist leer.',
  refused_content: 'Der Inhalt der Datei passt nicht zu ihrem Namen.',
  refused_folder:
    'Ordner werden nicht angenommen. Öffnen Sie den Ordner und wählen Sie die Dateien darin aus.',
  refused_folder_empty: 'In dem Ordner sind keine Dateien.',
  refused_folder_large: 'Ein Ordner darf höchstens {count} Dateien in {depth} Ebenen von Ordnern enthalten.',
  refused_in_folder: {
    one: 'Nicht hinzugefügt: {count} Datei, die kein gültiges {types}, leer oder zu groß ist.',
    other: 'Nicht hinzugefügt: {count} Dateien, die kein gültiges {types}, leer oder zu groß sind.',
  },
  refused_changed: 'Die Datei wurde seither verschoben oder geändert. Wählen Sie sie noch einmal aus.',
  failed_stall: 'Das Hochladen kam nicht mehr voran.',
  failed_network: 'Die Verbindung wurde unterbrochen.',
  failed_limit: 'Der Server nimmt höchstens {limit} an.',
  failed_throttled: 'Zu viele Dateien auf einmal.',
  failed_full: 'Ihr Speicherplatz ist voll.',
  failed_server: 'Der Server hatte ein Problem.',
  failed_request: 'Der Server hat die Datei abgelehnt.',
  try_again_hint: '{reason} Versuchen Sie es noch einmal.',
  trying_again: {
    one: '{reason} Nächster Versuch in {count} Sekunde.',
    other: '{reason} Nächster Versuch in {count} Sekunden.',
  },

  // The documents
  your_files: 'Ihre Dateien',
  refresh: 'Aktualisieren',
  updated: 'Aktualisiert: {ago}',
  documents_failed: 'Ihre Dateien konnten nicht geladen werden.',
  try_again: 'Noch einmal versuchen',
  loading: 'Wird geladen …',
  documents_none: 'Noch keine Dateien. Was Sie hochladen, erscheint hier.',
  show_older: 'Ältere Dateien zeigen',
  download: 'Herunterladen',
  download_name: '{name} herunterladen',
  download_failed: 'Das Herunterladen konnte nicht begonnen werden.',
  delete: 'Löschen',
  delete_name: '{name} löschen',
  delete_question: '{name} löschen?',
  delete_warning: 'Das lässt sich nicht rückgängig machen.',
  deleting: 'Wird gelöscht …',
  deleted: '{name} gelöscht',
  not_deleted: 'Nicht gelöscht. {reason}',
  about: '{name}: {text}',

  // Sizes and times
  bytes: { one: '{count} Byte', other: '{count} Byte' },
  just_now: 'gerade eben',
  today_at: 'heute, {time}',
  yesterday_at: 'gestern, {time}',
  date_at: '{date}, {time}',
};
