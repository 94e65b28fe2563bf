-- What a contact is found by: the words of the names and of the e-mail address, and every four digits in a row of the
-- number, each behind the company's id, so that nobody's search reads another company's part of the index.
--
-- A word is found by how it begins. Any part of a word would take an entry per three letters: about fifty per contact
-- instead of about fifteen, and several times as long per contact that is imported. Of a number any part is found,
-- because there are only 10,000 times four digits.
--
-- One expression without loops, so that the planner puts it in place of the call. The characters that part words are
-- those of `search.SEPARATORS`.
CREATE FUNCTION search_words_v1(company bigint, first_name text, last_name text, email text, phone text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_to_tsvector(array_remove(array_remove(
    string_to_array(company::text || ':' || replace(
      translate(lower(first_name || ' ' || last_name || ' ' || coalesce(email, '')), E'@.-_+''’,;:()/&"\t\n\u00a0', '                  '),
      ' ', ' ' || company::text || ':'), ' ')
    || ARRAY[
      CASE WHEN length(phone) > 3 THEN company::text || '#' || substr(phone, 2, 4) END,
      CASE WHEN length(phone) > 4 THEN company::text || '#' || substr(phone, 3, 4) END,
      CASE WHEN length(phone) > 5 THEN company::text || '#' || substr(phone, 4, 4) END,
      CASE WHEN length(phone) > 6 THEN company::text || '#' || substr(phone, 5, 4) END,
      CASE WHEN length(phone) > 7 THEN company::text || '#' || substr(phone, 6, 4) END,
      CASE WHEN length(phone) > 8 THEN company::text || '#' || substr(phone, 7, 4) END,
      CASE WHEN length(phone) > 9 THEN company::text || '#' || substr(phone, 8, 4) END,
      CASE WHEN length(phone) > 10 THEN company::text || '#' || substr(phone, 9, 4) END,
      CASE WHEN length(phone) > 11 THEN company::text || '#' || substr(phone, 10, 4) END,
      CASE WHEN length(phone) > 12 THEN company::text || '#' || substr(phone, 11, 4) END,
      CASE WHEN length(phone) > 13 THEN company::text || '#' || substr(phone, 12, 4) END,
      CASE WHEN length(phone) > 14 THEN company::text || '#' || substr(phone, 13, 4) END,
      CASE WHEN length(phone) > 15 THEN company::text || '#' || substr(phone, 14, 4) END,
      company::text || '#' || right(phone, 3)],
    NULL), company::text || ':'))
$$;

-- New entries go to the end of a list first, and the worker sorts them in (search.tidy): an import of thousands of
-- contacts waits a fifth as long for that as with the usual 4 MB, and nobody searches a long list.
CREATE INDEX contact_words ON addressbook_contact
  USING gin (search_words_v1(company_id, first_name, last_name, email, phone)) WITH (gin_pending_list_limit = 65536);

-- Suppressions have no names; an erased one has no address and is found by its digest only.
CREATE FUNCTION search_address_v1(company bigint, channel text, address text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN search_words_v1(company, '', '', CASE WHEN channel = 'email' THEN address END, CASE WHEN channel = 'sms' THEN address END);

CREATE INDEX suppression_words ON addressbook_suppression
  USING gin (search_address_v1(company_id, channel, address)) WITH (gin_pending_list_limit = 65536);
