use expressions::Regex;

#[derive(serde::Serialize)]
struct Hello<'a> {
    greeting: &'a str,
}

fn main() {
    let found = Regex::new("h[a-z]+o").unwrap().find("say hello!").unwrap();
    let hello = Hello { greeting: found.as_str() };
    println!("{}", serde_json::to_string(&hello).unwrap());
}
